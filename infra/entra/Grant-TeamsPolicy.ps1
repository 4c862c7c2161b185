<#
.SYNOPSIS
Lets Antesala make and read online meetings of the accounts you name, and of no others.

.DESCRIPTION
Microsoft Graph's permissions for online meetings work only for accounts that an application access policy of Teams names.
This script makes the policy if it is missing, adds the app to it, and grants it. A second run changes nothing. It can take
Teams up to 30 minutes to follow. Needs the module MicrosoftTeams and a Teams administrator.

An account has one such policy: where it already has another, the script warns and leaves it, unless -Force is given.

.EXAMPLE
./Grant-TeamsPolicy.ps1 -ClientId <client ID> -Organizer <object ID>, <object ID> -WhatIf

.EXAMPLE
./Grant-TeamsPolicy.ps1 -ClientId <client ID> -Group <object ID of a group>

.EXAMPLE
./Grant-TeamsPolicy.ps1 -ClientId <client ID> -Everyone
#>
[CmdletBinding(SupportsShouldProcess, DefaultParameterSetName = 'Organizers')]
param(
    # Application (client) ID of the registration.
    [Parameter(Mandatory)]
    [ValidatePattern('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')]
    [string] $ClientId,

    # Object IDs of the clinicians and of the organizer pool.
    [Parameter(Mandatory, ParameterSetName = 'Organizers')]
    [string[]] $Organizer,

    # Object ID of a group; its direct members get the policy.
    [Parameter(Mandatory, ParameterSetName = 'Group')]
    [string] $Group,

    # Which policy wins where a person is in several groups; 1 is strongest.
    [Parameter(ParameterSetName = 'Group')]
    [int] $Rank = 1,

    # Every account that has no policy of its own.
    [Parameter(Mandatory, ParameterSetName = 'Everyone')]
    [switch] $Everyone,

    # The portal's check names this policy.
    [string] $PolicyName = 'Antesala',

    # Replaces another policy that an organizer has.
    [Parameter(ParameterSetName = 'Organizers')]
    [switch] $Force
)

$ErrorActionPreference = 'Stop'

if (-not (Get-Module -ListAvailable -Name MicrosoftTeams)) {
    throw 'Install the module first: Install-Module MicrosoftTeams -Scope CurrentUser'
}
Import-Module MicrosoftTeams
try { Get-CsTenant | Out-Null } catch { Connect-MicrosoftTeams | Out-Null }

$policy = Get-CsApplicationAccessPolicy -Identity $PolicyName -ErrorAction SilentlyContinue
if (-not $policy) {
    if ($PSCmdlet.ShouldProcess($PolicyName, 'Make the application access policy')) {
        New-CsApplicationAccessPolicy -Identity $PolicyName -AppIds $ClientId -Description 'Antesala virtual visits' | Out-Null
    }
}
elseif ($policy.AppIds -notcontains $ClientId) {
    if ($PSCmdlet.ShouldProcess($PolicyName, "Add the app $ClientId")) {
        Set-CsApplicationAccessPolicy -Identity $PolicyName -AppIds @{ Add = $ClientId }
    }
}

switch ($PSCmdlet.ParameterSetName) {
    'Organizers' {
        foreach ($person in $Organizer) {
            # The name comes as Tag:Antesala or as Antesala, depending on the module's version.
            $held = "$((Get-CsOnlineUser -Identity $person).ApplicationAccessPolicy)" -replace '^Tag:', ''
            if ($held -eq $PolicyName) { continue }
            if ($held -and -not $Force) {
                Write-Warning "$person has the policy $held. Add the app there, or run this with -Force."
                continue
            }
            if ($PSCmdlet.ShouldProcess($person, "Grant the policy $PolicyName")) {
                Grant-CsApplicationAccessPolicy -PolicyName $PolicyName -Identity $person
            }
        }
    }
    'Group' {
        if ($PSCmdlet.ShouldProcess($Group, "Grant the policy $PolicyName to the group")) {
            Grant-CsApplicationAccessPolicy -PolicyName $PolicyName -Group $Group -Rank $Rank
        }
    }
    'Everyone' {
        if ($PSCmdlet.ShouldProcess('everyone without a policy of their own', "Grant the policy $PolicyName")) {
            Grant-CsApplicationAccessPolicy -PolicyName $PolicyName -Global
        }
    }
}
